// How many sequences step t of a recurrent layer has, and the row that it begins at. With `sizes`,
// the first sizes[t] of P.B; else all of them.
#if sizes
fn members(t: u32) -> u32 { return min(u32(max(sizes[P.sizes + t], 0)), P.B); }
fn first(t: u32) -> u32 {
  var sum = 0u;
  for (var i = 0u; i < t; i++) { sum += members(i); }
  return sum;
}
#else
fn members(t: u32) -> u32 { return P.B; }
fn first(t: u32) -> u32 { return t * P.B; }
#end

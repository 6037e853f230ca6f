// The rows of a head, one for each time, for `#include attention_rows`: row t of the buffer NAME
// begins at rows.begin + t * P.NAME_t.
#include head_vectors

// A head's rows in a buffer: where row 0 begins, and the number of rows.
struct Rows { begin: u32, count: u32 }

#for name in loads
// Vector c of row t; zero beyond the last row and beyond the head.
fn row_${name}(rows: Rows, t: u32, c: u32) -> vec4f {
  if (t >= rows.count || c >= HEAD_VECTORS) { return vec4f(); }
  return load_${name}(rows.begin + t * P.${name}_t, c);
}
#end

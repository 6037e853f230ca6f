// The items of a row in registers, for `#include row_items` after row_at: the ${K} that an
// invocation has of the buffer whose name the define `source` is. Item c<k> is v<k>; where in<k> is
// false it is past the row's end, and v<k> is the last one.
#for k in range(K)
  let c${k} = t + ${k * T}u;
  let in${k} = c${k} < P.n;
  var v${k} = ${source}[P.${source} + begin + min(c${k}, P.n - 1u)];
#end

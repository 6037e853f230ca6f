// The maximum of a row, `top`, and the sum of the exponentials less it, `total`, in one pass over
// storage (Milakov and Gimelshein 2018), four items at a time: for `#include row_online_softmax`
// after row_at, of the buffer whose name the define `source` is.
  var most = LOWEST;
  var total = 0.0;
  for (var c = t; c < P.n; c += ${4 * T}u) {
#for k in range(4)
    let v${k} = select(Item(-inf()), ${source}[P.${source} + begin + min(c + ${k * T}u, P.n - 1u)], c + ${k * T}u < P.n);
#end
    let larger = max(max(most, max(item_max(v0), item_max(v1))), max(item_max(v2), item_max(v3)));
    total *= m_exp_nonpositive(most - larger);
#for k in range(4)
    total += item_sum(item_exp_nonpositive(v${k} - larger));
#end
    most = larger;
  }
  let top = row_max(most, lid, lanes, 0u);
  total = row_sum(total * m_exp_nonpositive(most - top), lid, lanes, 1u);

// The lowest number and exponentials of items, for `#include row_exponentials`: what softmax and
// cross-entropy need beside the sums and maxima of rows.wgsl.
#include rows
#include math

const LOWEST = -3.4028234e38;
#if F == "f32"
fn item_exp_nonpositive(v: Item) -> Item { return m_exp_nonpositive(v); }
#else
fn item_exp_nonpositive(v: Item) -> Item {
  return Item(m_exp_nonpositive(v.x), m_exp_nonpositive(v.y), m_exp_nonpositive(v.z), m_exp_nonpositive(v.w));
}
#end

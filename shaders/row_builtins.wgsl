// The parameters of main where groups of a workgroup share rows, for `#include row_builtins`:
// `wid`, `nwg`, `lid` and, for the sums and maxima of rows.wgsl, `lanes`.
  @builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
#if subgroups
  @builtin(subgroup_size) lanes: u32,
#end

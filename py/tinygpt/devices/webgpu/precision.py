"""The precisions of the GPU: what each one means, and the shader features that it needs."""

PRECISIONS = {
    "f32": "all arithmetic in 32-bit floats",
    "f16": "matrix products read 16-bit floats and add up in 32 bits; weights, gradients and moments stay 32-bit",
    "f16_matrix": "as f16, on the GPU's matrix units (tensor cores)",
}
# As a device's `build` says it.
IN_BUILD = {"f32": "f32", "f16": "f16 products", "f16_matrix": "f16 products on matrix units"}


def shader_features(precision: str, subgroups: bool) -> frozenset[str]:
    """The features that shaders may use: flags of their templates."""
    features = {"subgroups"} if subgroups else set[str]()
    if precision != "f32":
        features.add("f16")
    if precision == "f16_matrix":
        features.add("subgroup_matrix")
    return frozenset(features)

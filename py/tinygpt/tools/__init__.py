"""Looking at a model, its speed and its shaders: inspect, profile, benchmark, roofline, wgsl."""

"""Files: the safetensors container under `tinygpt.checkpoint`."""

"""PyTorch on a GPU, the yardstick of the WebGPU device: the same model and step, eager with fused
AdamW, and as a CUDA graph.

One fixed batch on the GPU; windows of back-to-back steps, the GPU's clocks raised before by large
products. Milliseconds are of a step.
"""

import time

import torch

WINDOWS = 15
WINDOW_SECONDS = 0.04


def make(preset, graph, tf32=False):
    """step() -> the loss, on the GPU."""
    from reference.model import GPT
    from tinygpt.config import PRESETS

    torch.manual_seed(42)
    torch.backends.cuda.matmul.allow_tf32 = tf32
    chosen = PRESETS[preset]
    config = chosen.train
    model = GPT(chosen.model).cuda()
    x, y = (torch.randint(256, (config.batch_size, chosen.model.context), device="cuda") for _ in range(2))
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
         {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
        lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True, capturable=graph)  # fmt: skip

    def step():
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()
        return loss

    return _captured(step) if graph else step


def _captured(step):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def windows(preset, graph, tf32=False):
    """[ms of a step] for WINDOWS windows."""
    step = make(preset, graph, tf32)
    big = torch.randn(4096, 4096, device="cuda")
    start = time.perf_counter()
    while time.perf_counter() - start < 0.5:
        torch.mm(big, big)
        torch.cuda.synchronize()
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    count = max(1, min(40, int(WINDOW_SECONDS / max(time.perf_counter() - start, 1e-5))))
    out = []
    for _ in range(WINDOWS):
        start = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        out.append((time.perf_counter() - start) / count * 1e3)
    return out

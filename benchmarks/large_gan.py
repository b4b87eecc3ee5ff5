"""One round of the progressive GAN at the sizes of the paper: a row for benchmarks/README.md.

    python benchmarks/large_gan.py [side] [cpu|cuda]        1024 by default, on a GPU where there is one

One image of noise as data, one move of the critic, one of the generator, with their backward passes and Adam; 512 numbers of
noise and the paper's channels. All threads. On the CPU it takes about five GiB; a machine with less says so and stops.
"""

import os
import resource
import sys
import time

import torch

from genedu.adversarial import ProgressiveGAN
from genedu.core import seeded
from genedu.fit import fit

NEEDED = 5 * 2**30  # bytes, at 1024 on the CPU


def main(side: int = 1024, device: str = "cuda" if torch.cuda.is_available() else "cpu") -> None:
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    if device == "cpu" and free < NEEDED * (side / 1024) ** 2:
        sys.exit(f"not measured: {free / 2**30:.1f} GiB free, about {NEEDED / 2**30 * (side / 1024) ** 2:.0f} needed")
    with seeded(0):
        model = ProgressiveGAN(side, channels=3, latent=512, base=16384, cap=512, rows=1).to(device)
        x = torch.rand(1, 3, side, side)
    if device == "cuda":  # the first round loads kernels
        fit(model, x, rounds=1, batch_size=1, progress=False)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    wall, cpu = time.perf_counter(), time.process_time()
    fit(model, x, rounds=1, batch_size=1, progress=False)
    if device == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print("| side | device | parameters, million | wall s a round | CPU s | peak memory, GiB |\n|---|---|---|---|---|---|")
    weights = sum(p.numel() for p in model.generator.parameters()) + sum(p.numel() for p in model.critic.parameters())
    print(f"| {side} | {where} | {weights / 1e6:.1f} | {wall:.2f} | {cpu:.2f} | {peak / 2**30:.1f} |")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, str), sys.argv[1:], strict=False)))

"""The arithmetic of a forward pass, and what it leaves of the caller's own settings."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch

from gandiag.extractors._precision import arithmetic


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True), ("bf16", True)])
def test_tf32_is_as_the_precision_says_and_then_as_it_was(precision, allowed):
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    with arithmetic("cpu", precision):
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (allowed, allowed)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="a torch with one interface")
def test_a_process_that_uses_the_newer_interface_keeps_what_it_set():
    # In a process of its own: the older interface raises from then on.
    script = """
        import torch
        from gandiag.extractors._precision import arithmetic

        matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn.conv
        matmul.fp32_precision = "tf32"
        before = matmul.fp32_precision, conv.fp32_precision
        with arithmetic("cpu", "fp32"):
            print(matmul.fp32_precision, conv.fp32_precision)
        print((matmul.fp32_precision, conv.fp32_precision) == before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ieee", "ieee", "True"]

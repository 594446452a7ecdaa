"""Choice of device and precision, and batches that do not fit."""

import warnings

import pytest
import torch

from patchfield.backbones import random_vit
from patchfield.backbones.devices import BatchSplitter, choose_device, choose_dtype
from patchfield.errors import BackboneError

BATCH = torch.arange(7.0).reshape(7, 1, 1, 1).expand(7, 3, 2, 2)


class Memory:
    """A device that holds a number of crops."""

    def __init__(self, crops: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        self.crops, self.error, self.asked = crops, error, []

    def __call__(self, batch):
        self.asked.append(len(batch))
        if len(batch) > self.crops:
            raise self.error("MPS backend out of memory")
        return [batch + 1, batch[:, :1] * 2]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_batches_shrink_until_they_fit_and_say_so(error):
    memory, split = Memory(2, error), BatchSplitter()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        first, second = split(memory, BATCH)
    assert ["3 at a time instead of 7" in str(warned[0].message), "1 at a time" in str(warned[1].message)] == [True] * 2
    assert torch.equal(first, BATCH + 1)
    assert torch.equal(second, BATCH[:, :1] * 2)
    assert memory.asked == [7, 3, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.filterwarnings("error")
def test_what_fitted_is_remembered():
    memory, split = Memory(3), BatchSplitter()
    with pytest.warns(RuntimeWarning):
        split(memory, BATCH)
    memory.asked.clear()
    split(memory, BATCH)
    assert memory.asked == [3, 3, 1]


@pytest.mark.filterwarnings("ignore:The device's memory")
def test_one_crop_that_does_not_fit_is_an_error_with_advice():
    with pytest.raises(BackboneError, match=r"One crop of 2 x 2 pixels .* device='cpu'"):
        BatchSplitter()(Memory(0), BATCH)


def test_other_errors_are_not_taken_for_a_full_memory():
    def broken(batch):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        BatchSplitter()(broken, BATCH)


def test_encode_falls_back_to_smaller_batches(monkeypatch):
    vit = random_vit("vit_tiny_patch16_224", depth=1, device="cpu")
    batch = torch.rand(5, 3, 32, 32)
    expected = vit.encode(batch)[0]
    whole = vit.transformer.intermediate

    def limited(images, blocks):
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(images, blocks)

    monkeypatch.setattr(vit.transformer, "intermediate", limited)
    with pytest.warns(RuntimeWarning, match="2 at a time instead of 5"):
        torch.testing.assert_close(vit.encode(batch)[0], expected)


def test_weights_that_do_not_fit_are_an_error_with_advice(monkeypatch):
    def full(module, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(BackboneError, match="The weights do not fit into the memory of 'cpu'"):
        random_vit("vit_tiny_patch16_224", depth=1, device="cpu")


def test_devices_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto").type == "cuda"
    with pytest.raises(BackboneError, match="'cuda:1' is not there"):
        choose_device("cuda:1")
    with pytest.raises(BackboneError, match="'gpu' is unknown"):
        choose_device("gpu")


@pytest.mark.parametrize(("capability", "dtype"), [(9, torch.bfloat16), (7, torch.float16), (6, torch.float32)])
def test_precision_by_generation_of_gpu(capability, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (capability, 0))
    assert choose_dtype("auto", torch.device("cuda")) == dtype
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    assert choose_dtype("fp16", torch.device("cpu")) == torch.float16
    with pytest.raises(BackboneError, match="'half' is unknown"):
        choose_dtype("half", torch.device("cpu"))

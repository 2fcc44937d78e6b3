"""Head boxes from the keypoints of a pose: a small regression, fitted on heads labelled by hand.

Nose, eyes, ears and shoulders say where a head is and how large. How far hair and chin reach
beyond them depends on the way the head is turned, so it is learnt, not written down.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from monitor.errors import ConfigError

BUNDLED: Final = Path(__file__).with_name("pose_heads.json")
"""The regression that comes with the program."""
_HEAD: Final = 5  # the first keypoints are nose, eyes and ears
_UPPER: Final = 7  # and these with the shoulders
_SEEN: Final = 0.3  # confidence from which a keypoint counts as seen
_HIDDEN: Final = 32  # units of each hidden layer
_MIN_POSE: Final = 0.2  # score from which a pose is matched with a labelled head
_STEPS: Final = 400
_RATE: Final = 3e-3
_DECAY: Final = 1e-2
_DIMMED: Final = 0.15  # share of keypoints that are made unsure while fitting
_DIGITS: Final = 5

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PoseHeads:
    """A fitted regression from keypoints to heads."""

    network: torch.nn.Sequential
    mean: Floats
    """(31,) of the features that it was fitted on."""
    deviation: Floats
    """(31,) by which they are divided."""

    def predict(self, keypoints: Floats) -> Floats:
        """Heads (N, 4), in pixels, not clipped, of poses (N, 17, 3): x, y, confidence."""
        features, origin, size = compute_features(keypoints)
        with torch.inference_mode():
            scaled = torch.from_numpy((features - self.mean) / self.deviation)
            output = self.network(scaled).numpy()
        middle = origin + output[:, :2] * size[:, None]
        sides = np.exp(output[:, 2:]) * size[:, None]
        return np.concatenate([middle - sides / 2, middle + sides / 2], 1).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write it as JSON, numbers rounded."""
        layers = [layer for layer in self.network if isinstance(layer, torch.nn.Linear)]
        content = {
            "mean": _to_list(self.mean),
            "deviation": _to_list(self.deviation),
            "layers": [
                {"weight": _to_list(layer.weight), "bias": _to_list(layer.bias)} for layer in layers
            ],
        }
        path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def load_pose_heads(path: Path = BUNDLED) -> PoseHeads:
    """Read what ``PoseHeads.save`` wrote.

    Raises:
        ConfigError: The file is missing or is not such a regression.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        mean, deviation = (np.array(content[name], np.float32) for name in ("mean", "deviation"))
        network = _build(len(mean))
        layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        for layer, known in zip(layers, content["layers"], strict=True):
            layer.load_state_dict({name: torch.tensor(known[name]) for name in ("weight", "bias")})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ConfigError(f"{path}: not a regression from poses to heads ({error})") from error
    return PoseHeads(network, mean, deviation)


def compute_features(keypoints: Floats) -> tuple[Floats, Floats, Floats]:
    """What the regression reads from poses, free of place and size.

    Args:
        keypoints: (N, 17, 3) x and y in pixels, confidence 0..1, in COCO's order.

    Returns:
        Features (N, 31); the middle of each head's keypoints (N, 2) and a length (N,) by which
        the features were made free of size, both in pixels.
    """
    points, confidence = keypoints[:, :_UPPER, :2], keypoints[:, :_UPPER, 2]
    weight = np.clip(confidence[:, :_HEAD], 0.05, 1)
    weight = weight / weight.sum(1, keepdims=True)
    origin = (points[:, :_HEAD] * weight[:, :, None]).sum(1)
    shoulders = np.linalg.norm(points[:, 5] - points[:, 6], axis=1)
    neck = np.linalg.norm((points[:, 5] + points[:, 6]) / 2 - origin, axis=1)
    spread = ((points[:, :_HEAD] - origin[:, None]) ** 2).sum(2)
    spread = np.sqrt((spread * weight).sum(1))
    size = np.maximum.reduce([shoulders * 0.5, neck * 0.8, spread * 2]) + 1
    seen = confidence > _SEEN
    placed = (points - origin[:, None]) / size[:, None, None] * seen[:, :, None]
    lengths = np.stack([shoulders / size, neck / size, spread / size], 1)
    features = np.concatenate([placed.reshape(-1, 2 * _UPPER), confidence, seen, lengths], 1)
    return features.astype(np.float32), origin.astype(np.float32), size.astype(np.float32)


def match_heads(
    scores: Floats, keypoints: Floats, heads: Sequence[Sequence[float]]
) -> list[tuple[Floats, Floats]]:
    """Pairs of keypoints (17, 3) and head (4,): for each head the surest pose whose head is there.

    Args:
        scores: (N,) of the poses.
        keypoints: (N, 17, 3) of the poses.
        heads: Labelled by hand: left, top, right, bottom in pixels.
    """
    pairs = []
    seen = keypoints[:, :_HEAD, 2] > _SEEN  # (N, 5)
    usable = (scores >= _MIN_POSE) & seen.any(axis=1)
    total = (keypoints[:, :_HEAD, :2] * seen[:, :, None]).sum(axis=1)
    middles = total / np.maximum(seen.sum(axis=1), 1)[:, None]
    for head in np.array(heads, np.float32).reshape(-1, 4):
        within = usable & ((middles > head[:2]) & (middles < head[2:])).all(axis=1)
        if within.any():
            best = int(np.where(within, scores, -1).argmax())
            pairs.append((keypoints[best], head))
    return pairs


def fit_pose_heads(pairs: Sequence[tuple[Floats, Floats]], seed: int = 0) -> PoseHeads:
    """Fit a regression on pairs of keypoints (17, 3) and head (4,), such as ``match_heads`` gives.

    Takes seconds. Keypoints are made unsure at random, so that it copes with hidden ones.
    """
    keypoints = np.stack([points for points, _ in pairs])
    heads = np.stack([head for _, head in pairs])
    features, _, _ = compute_features(keypoints)
    mean, deviation = features.mean(0), features.std(0) + np.float32(1e-3)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _build(len(mean))
    with _use_one_thread():
        _descend(network, (mean, deviation), keypoints, heads, rng)
    return PoseHeads(network, mean, deviation)


def _descend(
    network: torch.nn.Sequential,
    scaling: tuple[Floats, Floats],
    keypoints: Floats,
    heads: Floats,
    rng: np.random.Generator,
) -> None:
    """Fit the network by gradient descent on all pairs at once."""
    mean, deviation = scaling
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    for _ in range(_STEPS):
        dimmed = keypoints.copy()
        shape = dimmed[:, :_UPPER, 2].shape
        dimmed[:, :_UPPER, 2] *= np.where(rng.random(shape) < _DIMMED, 0.3 * rng.random(shape), 1)
        features, origin, size = compute_features(dimmed)
        middle = ((heads[:, :2] + heads[:, 2:]) / 2 - origin) / size[:, None]
        sides = np.log((heads[:, 2:] - heads[:, :2]) / size[:, None])
        wanted = torch.from_numpy(np.concatenate([middle, sides], 1).astype(np.float32))
        output = network(torch.from_numpy((features - mean) / deviation))
        loss = torch.nn.functional.smooth_l1_loss(output, wanted, beta=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@contextmanager
def _use_one_thread() -> Iterator[None]:
    """Several threads wait for one another longer than such small layers take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _build(features: int) -> torch.nn.Sequential:
    """Features to the head's middle and the logarithms of its sides, in lengths of the pose."""
    return torch.nn.Sequential(
        torch.nn.Linear(features, _HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(_HIDDEN, _HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(_HIDDEN, 4),
    )


def _to_list(numbers: Floats | torch.Tensor) -> object:
    """Nested lists of floats, rounded."""
    array = numbers.detach().numpy() if isinstance(numbers, torch.Tensor) else numbers
    return np.round(array.astype(np.float64), _DIGITS).tolist()

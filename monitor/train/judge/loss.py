"""The losses of the judge's training: the first word, the sentence behind it, and a hint."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from monitor.domain import ANSWERS
from monitor.train.judge.words import SENTENCES, split_answer

_IGNORED: Final = -100  # torch's cross entropy leaves such targets out
_SMOOTHING: Final = 0.05  # a few labels in a hundred are wrong
_SURE: Final = 0.5  # teachers that give a drawn answer less do not know it
_DRAWN: Final = ("balaclava", "helmet", "hard_mask", "scarf", "unusable")
_WHOLE: Final = 0.1  # weight of the first word among all words, so that no other is written


class Targets:
    """The target text for each answer, as tokens."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401
        rows = {
            key: [*tokenizer.convert_tokens_to_ids(split_answer(key)), tokenizer.eos_token_id]
            for key in SENTENCES
        }
        longest = max(len(row) for row in rows.values())
        self._rows = {key: row + [_IGNORED] * (longest - len(row)) for key, row in rows.items()}
        self._pad = tokenizer.pad_token_id
        self._answers = torch.tensor(tokenizer.convert_tokens_to_ids(list(ANSWERS)))

    def encode(self, keys: list[str]) -> Tensor:
        """(N, T) tokens: the answer, its sentence, the end; _IGNORED behind it."""
        return torch.tensor([self._rows[key] for key in keys])

    def build_inputs(self, prompt: Tensor, labels: Tensor) -> Tensor:
        """(N, P + T - 1) the model's input to write ``labels``: all tokens but the last.

        Args:
            prompt: (1, P) tokens of the picture and the question.
            labels: (N, T) from ``of``.
        """
        written = labels[:, :-1].masked_fill(labels[:, :-1] < 0, self._pad)
        return torch.cat([prompt.expand(len(labels), -1), written], dim=1)

    def compute_answer_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of the first word, among the answers and among all words.

        Args:
            logits: (N, V) of the first word.
            labels: (N,) tokens of the right answers.
        """
        targets = (labels[:, None] == self._answers).int().argmax(dim=1)
        chosen = logits[:, self._answers]
        answer_loss = functional.cross_entropy(chosen, targets, label_smoothing=_SMOOTHING)
        return answer_loss + _WHOLE * functional.cross_entropy(logits, labels)

    def compute_taught_loss(
        self, logits: Tensor, keys: list[str], teacher_shares: NDArray[np.float32]
    ) -> Tensor:
        """The loss of the first word against the teachers' probabilities.

        Drawn coverings that the teachers do not recognise are left out: they saw no real ones.

        Args:
            logits: (N, V) of the first word.
            keys: (N,) answers with their detail.
            teacher_shares: (N, 11) shares.
        """
        names = [key.partition("/")[0] for key in keys]
        label_shares = teacher_shares[
            np.arange(len(names)), [ANSWERS.index(name) for name in names]
        ]
        trusted = torch.from_numpy((label_shares >= _SURE) | ~np.isin(names, _DRAWN)).float()
        losses = -(
            torch.from_numpy(teacher_shares) * logits[:, self._answers].log_softmax(dim=1)
        ).sum(dim=1)
        return (losses * trusted).sum() / trusted.sum().clamp(min=1)


def compute_sentence_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the words behind the answer.

    Args:
        logits: (N, T, V), of every word.
        labels: (N, T) tokens, _IGNORED behind the end.
    """
    return functional.cross_entropy(
        logits[:, 1:].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED
    )


class Hint:
    """A linear reading of the tower's mean, for the training only.

    The tower learns slowly through a text model that has yet to learn where to look; told
    directly what its picture shows, it learns at once. The saved model has no such head.
    """

    def __init__(self, tower: Any, width: int) -> None:  # noqa: ANN401
        self._head = torch.nn.Linear(width, len(ANSWERS))
        self._seen: list[Tensor] = []
        tower.register_forward_hook(lambda _m, _i, out: self._seen.append(out.last_hidden_state))

    def parameters(self) -> list[Tensor]:
        """The trained parameters."""
        return list(self._head.parameters())

    def compute_loss(self, keys: list[str]) -> Tensor:
        """The loss of the answers that are read from the last pictures' features."""
        seen = self._seen[-1].float().mean(dim=(2, 3))  # (N, C, H, W) to (N, C)
        self._seen.clear()
        labels = torch.tensor([ANSWERS.index(key.partition("/")[0]) for key in keys])
        return functional.cross_entropy(self._head(seen), labels, label_smoothing=_SMOOTHING)

    def state_dict(self) -> Any:  # noqa: ANN401
        """The head's weights."""
        return self._head.state_dict()

    def load_state_dict(self, state: Any) -> None:  # noqa: ANN401
        """Take the head's weights from an earlier run."""
        self._head.load_state_dict(state)

"""Going on from an earlier judge's weights."""

import logging
from pathlib import Path
from typing import Any

from transformers import AutoModelForImageTextToText

from monitor.errors import ConfigError

_LOG = logging.getLogger(__name__)


def take_over(model: Any, folder: Path) -> int:  # noqa: ANN401  (transformers is untyped)
    """Copy every weight that has the same name and shape; returns how many tensors fitted.

    Raises:
        ConfigError: The folder holds no model, or one of which nothing fits.
    """
    try:
        earlier: Any = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no judge to start from: {error}") from error
    own = model.state_dict()
    fitting = {
        name: weights
        for name, weights in earlier.state_dict().items()
        if name in own and own[name].shape == weights.shape
    }
    if not fitting:
        raise ConfigError(f"{folder}: none of its weights fits this shape")
    model.load_state_dict(fitting, strict=False)
    _LOG.info("%d of %d tensors taken over from %s", len(fitting), len(own), folder)
    return len(fitting)

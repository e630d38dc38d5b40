"""What libraries say on their own, which is not for the people who wait for a training."""

import logging

from transformers.utils import logging as transformers_logging


def quiet_libraries() -> None:
    """For the rest of this process: no progress bars and no advice from transformers and bitsandbytes."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it recommends a kernel that would have to be downloaded

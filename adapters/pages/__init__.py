"""The pages that people look at: a dataset, an adapter, several models. One self-contained HTML file each, drawn from its card alone."""

from adapters.pages.comparison import comparison_page
from adapters.pages.data_card import data_card_page
from adapters.pages.errors import BrokenCard, PageError
from adapters.pages.report_card import report_card_page

__all__ = ["BrokenCard", "PageError", "comparison_page", "data_card_page", "report_card_page"]

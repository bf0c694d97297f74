"""``python -m ko_sentence_transformers`` is ``ko-st``."""

from .cli import main

if __name__ == "__main__":
    main()

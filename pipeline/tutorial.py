"""Train the five presets of the airline tutorial, and place its published numbers among ours: `make tutorial`."""

if __name__ == "__main__":
    import sys

    from pipeline.command.tutorial import main

    sys.exit(main())

"""Make a run the champion if it beats the present one: `python -m pipeline.promote run=RUN_ID alias=champion`."""

if __name__ == "__main__":
    import sys

    from pipeline.command.promote import main

    sys.exit(main())

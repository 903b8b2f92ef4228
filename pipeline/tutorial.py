"""Train the five presets of the airline tutorial, and place its published numbers among ours: `make tutorial`."""

if __name__ == "__main__":
    from pipeline.command.exits import leave
    from pipeline.command.tutorial import main

    leave(main())

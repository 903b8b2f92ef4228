"""Search the network for a series and train the best one: `python -m pipeline.search dataset=airline budget=5m`."""

if __name__ == "__main__":
    from pipeline.command.exits import leave
    from pipeline.command.search import main

    leave(main())

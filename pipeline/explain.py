"""Draw an experiment before it is trained: `python -m pipeline.explain look_back=6 output=diagram.svg`."""

if __name__ == "__main__":
    from pipeline.command.explain import main

    main()

"""Write a run's model as files that others run: `python -m pipeline.export run=best format=onnx output=FOLDER`."""

if __name__ == "__main__":
    from pipeline.command.export import main

    main()

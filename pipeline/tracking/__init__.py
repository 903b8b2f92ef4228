"""Every run lands in MLflow. The only room that imports mlflow."""

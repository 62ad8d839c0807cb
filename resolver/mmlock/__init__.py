"""mmlock: locked environments for compiled PyTorch extensions."""

__version__ = "0.1.0"

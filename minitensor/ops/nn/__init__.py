"""What neural networks add to arrays: activations, softmax, attention, normalization, recurrence."""

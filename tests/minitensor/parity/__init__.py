"""Values and gradients against PyTorch, an oracle only (`make parity`)."""

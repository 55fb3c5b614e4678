"""Exchange with other tools: arrays by DLPack, einops, ONNX. Each file needs its package only when it is used."""

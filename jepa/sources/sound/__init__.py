"""Sound as a source: .wav files, brought to one rate, as log-mel spectrograms of one length."""

"""A classifier on an encoder, trained with it on some of the labels, beside the same network from scratch."""

from jepa.finetuning.classifier import Classifier
from jepa.finetuning.finetune import finetune
from jepa.finetuning.predict import load_classifier, predict

__all__ = ["Classifier", "finetune", "load_classifier", "predict"]

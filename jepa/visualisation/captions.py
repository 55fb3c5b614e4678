"""Title and caption of each picture of the report: how to read it, and what would be a bad sign."""

from __future__ import annotations

CAPTIONS = {
    "probes": (
        "The table as bars",
        """Higher is better. The first bar has to stand clear of the other two: "same encoder, untrained" shows what
        the architecture gives for nothing (whisker: lowest and highest of its random initialisations), "raw pixels"
        what the classifier gets without any encoder. The dashed line is always answering the most frequent class.""",
    ),
    "loss": (
        "Loss",
        """A falling training loss alone proves little: it also falls when all embeddings become alike, so read it with
        the health below. Right: the loss of the predictions on held-out images, and the same when the predictor is
        told where another image's targets lie. The gap between the two curves is what the geometry is worth to it.""",
    ),
    "health": (
        "Health of the representation",
        """Feature standard deviation: 1 means spread evenly over all directions, near 0 means collapsed. Effective
        rank: how many directions are in use, at most the size of the embedding. A cosine near 1 is good news only
        while the other two stay up. Gradient norms that explode or vanish say that the learning rate is wrong.""",
    ),
    "schedules": (
        "Schedules and speed",
        """The learning rate and the share of itself that the target encoder keeps at each step, as they were applied,
        and how many images a second were trained on.""",
    ),
    "curriculum": (
        "Curriculum",
        "How the sizes and overlaps of context and target regions were changed during training.",
    ),
    "regions": (
        "What is seen and what is predicted",
        """Each row is one image. Dashed blue: the context, all that the context encoder sees (second column, as it
        gets it: resized, colours changed, hidden blocks filled). Solid frames: the targets, whose embeddings are to
        be predicted. Right: what the predictor is told about them, measured in heights and widths of the context.""",
    ),
    "similarity": (
        "Predicted against true embeddings",
        """Row n compares the prediction for example n with the true target embeddings of all examples. A bright
        diagonal on a dark ground means that predictions tell their own target from the others; an evenly bright
        square means that all embeddings look alike. Right: the same figures as two distributions; the further
        apart, the better.""",
    ),
    "reconstruction": (
        "Predictions decoded into pixels",
        """A small decoder was trained to draw a region from its embedding (no gradient reaches the encoder). Second
        row: what the embedding of the true target keeps. Third row: what the prediction, made without seeing the
        target, contains (brought among the true embeddings by the best linear map first: a contrastive loss leaves it
        free to stand apart from them). Blur is what is not in the embedding; a third row that is the same picture
        everywhere would mean that only the mean was predicted.""",
    ),
    "predictions": (
        "Masks, and what is predicted behind them",
        """Second column: the patches that the context encoder sees; the predictor is told where the others lie. A
        linear decoder, fitted on training images, turns tokens back into pixels: third column, from the true tokens of
        the hidden patches, what a token keeps of its patch; fourth, from the predicted ones, what could be foreseen.
        (Predictions are first brought among the true tokens by the best linear map.) Blur is what a token lacks.""",
    ),
    "attention": (
        "Where it looks",
        """Attention of one token in the last block, head by head, and its rollout: the share of each input patch in
        that token after all blocks. All heads looking at one place, or evenly everywhere, would be a bad sign.""",
    ),
    "features": (
        "Features as colours",
        """Below each image its patches, coloured by the three directions in which the tokens of all these images differ
        most. Alike colours are alike features; the parts of a thing should come apart from its ground.""",
    ),
    "neighbours": (
        "What a prediction is taken for",
        """The training images whose tokens, at the places that are hidden in the first column, are most like the
        predicted ones (each less the mean of its place). They should continue what can be seen.""",
    ),
    "embedding": (
        "Embeddings by class",
        """Held-out images, one point each, seen along the two directions of largest variance (or placed by t-SNE or
        UMAP, which keep neighbours together, while distances between groups mean nothing). No label was used in
        training: classes that come apart here were found without one, and classes that overlap in two dimensions may
        still be apart.""",
    ),
}
"""File name in ``plots/`` without suffix, to (title, caption)."""

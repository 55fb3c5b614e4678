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
        the health below. Dashed: its parts; of H-JEPA each level before its weight, the total is their weighted sum.
        Right: the loss of the predictions on held-out images (of H-JEPA, of its finest level), and the same when the
        predictor is told the place of another target, or of another image's. The gap between the two curves is what
        the geometry is worth to it.""",
    ),
    "health": (
        "Health of the representation",
        """Feature standard deviation: 1 means spread evenly over all directions, near 0 means collapsed. Effective
        rank: how many directions are in use, at most the size of the embedding, or of the batch. A cosine near 1 is
        good news only while the other two stay up. Gradient norms that explode or vanish say that the learning rate is
        wrong.""",
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
        gets it: resized, colours changed, hidden blocks filled). Solid frames: the targets, whose embeddings are to be
        predicted. Right: what the predictor is told about them, measured in heights and widths of the context.""",
    ),
    "similarity": (
        "Predicted against true embeddings",
        """Row n compares the prediction for example n with the true target embeddings of all examples. A bright
        diagonal on a dark ground means that predictions tell their own target from the others; an evenly bright square
        means that all embeddings look alike. Right: the same figures as two distributions; the further apart, the
        better. (Of a masked run it is the first predicted patch of each image; as these lie at different places, place
        alone tells some of them apart.)""",
    ),
    "reconstruction": (
        "Predictions decoded into pixels",
        """A small decoder was trained to draw a region from its embedding (no gradient reaches the encoder). Second
        row: what the embedding of the true target keeps. Third row: what the prediction, made without seeing the
        target, contains (brought among the true embeddings by the best linear map first: a contrastive loss leaves it
        free to stand apart from them). Blur is what is not in the embedding; a third row that is the same picture
        everywhere would mean that only the mean was predicted.""",
    ),
    "masks": (
        "Masks",
        """Each row is one held-out image, cut, mirrored and coloured as in training. First: its targets, outlined and
        numbered; then what the context encoder sees, and each target (I-JEPA predicts each by itself, H-JEPA all of
        them together). Below: how often each patch is in a context and in a target. A patch that is hardly ever in one
        of them (dark) is hardly ever learned from.""",
    ),
    "levels": (
        "Predictions at the coarser levels",
        """What H-JEPA predicts of groups of patches, drawn as the single patches above: by a linear decoder, from the
        true token of a group, which is the mean over its hidden patches, and from the predicted one. A group is
        predicted if at least half of it is hidden; pale ones are not. The coarser the level, the less detail a token
        has room for: light and dark should still be in their places.""",
    ),
    "predictions": (
        "What is predicted behind the masks",
        """Second column: the patches that the context encoder sees; pale ones it does not. In the other columns pale
        patches are neither seen nor predicted. The predictor is told where the targets lie. A linear decoder, fitted
        on training images, turns tokens back into pixels: third column, from the true tokens of the hidden patches,
        what a token keeps of its patch; fourth, from the predicted ones, what could be foreseen. (Predictions are
        first brought among the true tokens by the best linear map.) Blur is what a token lacks; colours that training
        changes at random cannot be foreseen, and come out grey.""",
    ),
    "attention": (
        "Where it looks",
        """Attention of one token in the last block, head by head, and its rollout: the share of each input patch in
        that token after all blocks. Each panel runs from 0 (dark) to its own highest share (yellow), which stands
        below it. All heads looking at one place, or evenly everywhere, would be a bad sign.""",
    ),
    "blocks": (
        "Where it looks, block by block",
        """Attention of the same token of the first image in every block and every head, in the same colours. A head
        that looks evenly everywhere has all its patches alike, its highest share near 1 / patches. (The blocks of an
        energy transformer are its steps: the same weights each time.)""",
    ),
    "features": (
        "Features as colours",
        """Below each image its patches, coloured by the three directions in which the tokens of all these images
        differ most. Alike colours are alike features; the parts of a thing should come apart from its ground. Colours
        that run across every image in the same way tell of the place of a patch, not of what is in it.""",
    ),
    "neighbours": (
        "What a prediction is taken for",
        """The training images whose tokens, at the places that are pale in the first column, are most like those
        predicted there (each less the mean of its place). They should continue what can be seen.""",
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

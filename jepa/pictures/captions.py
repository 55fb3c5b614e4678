"""Title and caption of each picture of the report: how to read it, and what would be a bad sign."""

CAPTIONS = {
    "probes": (
        "The table as bars",
        """Higher is better. The first bar has to stand clear of the other two: "same encoder, untrained" shows what
        the architecture gives for nothing (whisker: lowest and highest of its random initializations), "raw pixels"
        (or "raw input") what the classifier gets without any encoder. The dashed line is always answering the most
        frequent class.""",
    ),
    "loss": (
        "Loss",
        """A falling training loss alone proves little: it also falls when all embeddings become alike, so read it with
        the health below. Dashed: its parts; of levels each before its weight, the total is their weighted sum. Right:
        the loss of the predictions on held-out examples (of levels, of the finest), and the same when the predictor is
        told the place of another target, or of another example's. The gap between the two curves is what the question
        is worth to it.""",
    ),
    "health": (
        "Health of the representation",
        """Feature standard deviation: 1 means spread evenly over all directions, near 0 means collapsed. Effective
        rank: how many directions are in use, at most the size of the embedding, or of the batch. Both are alarms for
        collapse and no measures of quality: of two runs that have not collapsed, the one with the higher rank may well
        be the worse, which the probes tell. A cosine near 1 is good news only while the other two stay up. Gradient
        norms that explode or vanish say that the learning rate is wrong.""",
    ),
    "schedules": (
        "Schedules and speed",
        """The learning rate and the share of itself that the target encoder keeps at each step, as they were applied,
        and how many examples a second were trained on.""",
    ),
    "curriculum": (
        "Curriculum",
        "How the task's settings, such as the sizes and overlaps of context and targets, were changed during training.",
    ),
    "retrieval": (
        "What belongs together is found",
        """Each row is one held-out example: an array of it, framed blue, and the one that belongs to it; then those of
        all examples whose embedding is nearest to what is predicted from the first. Green: it belongs to the example,
        or is the very same as what does; orange: it does not.""",
    ),
    "views": (
        "What is seen and what is predicted",
        """Each row is one held-out example: what the context encoder sees of it, and what the target encoder sees, both
        changed as in training. What the second makes of its view is to be predicted from the first.""",
    ),
    "forecast": (
        "What comes next",
        """The first frames (blue) are seen; those that follow are predicted, each from those before, further ahead than
        was learned if there are more. A linear decoder, fitted on training examples, turns tokens back into pixels or
        samples: from the true tokens of what follows, what a token keeps; from the predicted ones, what was foreseen.
        Two ghosts, or a blur, mean that the predictor does not know where something went; a picture that stands still
        would mean that it has not learned to move.""",
    ),
    "detections": (
        "Where things are found, frames ahead",
        """The true frames, the last one that is seen first. Red: the cells of the encoder's grid in which a small head
        finds the center of something in the *predicted* codes of that frame, as many as there are. The head learned
        from codes of true training frames.""",
    ),
    "horizons": (
        "How far ahead",
        """Average precision of finding the centers, over how many frames ahead the codes were predicted. Above the
        curve of constant velocity the model knows more than that things go straight on: it has foreseen bounces. The
        dashed line, codes of the true frames, is what the head can do if nothing has to be foreseen.""",
    ),
    "saccades": (
        "Two looks at an image",
        """Left: the image with both views in it, the first dashed; a dot marks the top of each. Middle: the first view,
        changed as in training, with the outline of the second and an arrow to its center: this pose is what the
        predictor is told, in sides of a view. Right: the second view, whose embedding is to be predicted. Nothing
        outside of the image is ever seen.""",
    ),
    "regions": (
        "What is seen and what is predicted",
        """Each row is one image. Dashed blue: the context, all that the context encoder sees (second column, as it
        gets it: resized, colors changed, hidden blocks filled). Solid frames: the targets, whose embeddings are to be
        predicted. Right: what the predictor is told about them, measured in heights and widths of the context.""",
    ),
    "similarity": (
        "Predicted against true embeddings",
        """Row n compares the prediction for example n with the true target embeddings of all examples. A bright
        diagonal on a dark ground means that predictions tell their own target from the others; an evenly bright square
        means that all embeddings look alike. Right: the same figures as two distributions; the further apart, the
        better. (Of masked examples it is the first predicted patch of each; as these lie at different places, place
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
        """Each row is one held-out example, changed as in training. First: its targets, outlined and numbered (of a
        series, shaded); then what the context encoder sees, and each target: each is predicted by itself, or, with
        levels, all that is hidden together. Below: how often each patch is in a context and in a target. A patch that
        is hardly ever in one of them (dark) is hardly ever learned from.""",
    ),
    "levels": (
        "Predictions at the coarser levels",
        """What is predicted of groups of patches, drawn as the single patches above: by a linear decoder, from the
        true token of a group, which is the mean over its hidden patches, and from the predicted one. A group is
        predicted if at least half of it is hidden; pale ones are not. The coarser the level, the less detail a token
        has room for: what is large should still be in its place.""",
    ),
    "predictions": (
        "What is predicted behind the masks",
        """Second column: the patches that the context encoder sees; pale ones it does not. In the other columns pale
        patches are neither seen nor predicted. The predictor is told where the targets lie. A linear decoder, fitted
        on training examples, turns tokens back into pixels or samples: third column, from the true tokens of the
        hidden patches, what a token keeps of its patch; fourth, from the predicted ones, what could be foreseen.
        (Predictions are first brought among the true tokens by the best linear map.) Blur is what a token lacks; what
        training changes at random, such as colors, cannot be foreseen, and comes out as its mean.""",
    ),
    "attention": (
        "Where it looks",
        """Attention of one token in the last block, head by head, and its rollout: the share of each input patch in
        that token after all blocks. Each panel runs from 0 (dark) to its own highest share (yellow), which stands
        below it. All heads looking at one place, or evenly everywhere, would be a bad sign.""",
    ),
    "blocks": (
        "Where it looks, block by block",
        """Attention of the same token of the first example in every block and every head, in the same colors. A head
        that looks evenly everywhere has all its patches alike, its highest share near 1 / patches. (The blocks of an
        energy transformer are its steps: the same weights each time.)""",
    ),
    "features": (
        "Features as colors",
        """Below each example its patches, colored by the three directions in which the tokens of all these
        differ most. Alike colors are alike features; the parts of a thing should come apart from its ground. Colors
        that run across every example in the same way tell of the place of a patch, not of what is in it.""",
    ),
    "neighbors": (
        "What a prediction is taken for",
        """The training examples whose tokens, at the places that are pale in the first column, are most like those
        predicted there (each less the mean of its place). They should continue what can be seen.""",
    ),
    "rollout": (
        "Rollouts by actions alone",
        """Each row is a held-out trajectory that the model did not look at behind the first frame (blue): the frames
        are the true ones, and the cross is where the predicted code says that things are, read out by a probe that
        learned from codes of true frames. It should lie in the circle, the true place, up to the last step. At the
        right the whole path, the true one (green) and the imagined one (dashed).""",
    ),
    "off": (
        "How far ahead places are known",
        """Mean distance from the true place of what is read out of codes that were predicted by actions alone. The
        green line is what the probe loses even on codes of true frames; above it lies the error of the predictor,
        which should grow slowly. Orange: what one errs by where nothing moves.""",
    ),
    "energy": (
        "The energy over actions",
        """How far the code one step ahead, predicted for each action of a grid, is from the code of the true next
        frame. The true action lies in the middle; white ones are longer than an action can be. A planner can be right
        only where the energy is least (cross) at the true action (circle); a valley along one direction says that the
        model does not see what an action does in that direction.""",
    ),
    "paths": (
        "Paths to the goal",
        """The first tasks, from the dot to the star: the path of the planner with the model, which sees pictures alone,
        and that of the same planner knowing the world. The ring around a star is the distance within which a goal
        counts as reached.""",
    ),
    "budget": (
        "Success by planning budget",
        """Share of the tasks in which the goal is reached at the last step, and at any, over the number of sequences of
        actions that the model imagines for each plan. Bars: 95 % intervals.
        Dotted: the floors; dashed: the same planner, knowing the world.""",
    ),
    "embedding": (
        "Embeddings by class",
        """Held-out examples, one point each, seen along the two directions of largest variance (or placed by t-SNE or
        UMAP, which keep neighbors together, while distances between groups mean nothing). No label was used in
        training: classes that come apart here were found without one, and classes that overlap in two dimensions may
        still be apart.""",
    ),
}
"""File name in ``plots/`` without suffix, to (title, caption)."""

### /xor: a perceptron and a small network learn XOR before the reader's eyes.

xor = xor
    .description = Watch a perceptron fail at XOR and a hidden layer learn it
    .hidden = hidden
    .hidden-description = Units in the hidden layer, 1 to 16
    .steps = steps
    .steps-description = Training steps, 50 to 5000
    .seed = seed
    .seed-description = Where the first random weights come from; the same seed gives the same film

# --- while it trains
xor-training = Step { NUMBER($step) } of { NUMBER($steps) }. Loss: perceptron { NUMBER($perceptron, minimumFractionDigits: 2, maximumFractionDigits: 2) }, MLP { NUMBER($mlp, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
xor-drawing = Training is done; I am drawing the film.

# --- what was seen
xor-perceptron = The perceptron had { $best } of 4 points right at best: it can only draw one straight line, and no line parts the ones from the zeros. Its loss cannot fall below ln 2 ≈ 0.69, the price of saying ½ to everything; here it ended at { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
xor-mlp-learned = The MLP with { $hidden ->
    [one] one hidden unit
   *[other] { $hidden } hidden units
} has had 4 of 4 right since step { NUMBER($step) }, with a final loss of { NUMBER($loss, maximumSignificantDigits: 2) }. Its hidden layer moved the points so that in h-space a straight line is enough.
xor-mlp-one-unit = The MLP stopped at { $right } of 4: with one hidden unit it, too, can only draw a straight border. It takes two.
xor-mlp-plateau = The MLP has { $right } of 4 right and its loss is still near ln 2: it has hardly left the flat place where it started. More steps will help, or another seed.
xor-mlp-falling = The MLP has { $right } of 4 right and its loss, { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }, is still falling. Give it more steps.
xor-mlp-stuck = The MLP is stuck at { $right } of 4 in a local minimum, at a loss of { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: every small change makes it worse. It happens to about 1 seed in 20 with two hidden units. Try another seed or more hidden units.
xor-view = With { $hidden } hidden units, h-space has { $hidden } dimensions. Seen here: across, the direction that the output unit reads; up, the one along which the points differ most besides. Together they hold { NUMBER($share, style: "percent", maximumFractionDigits: 0) } of the points’ spread.
xor-settings = { NUMBER($steps) } steps, seed { $seed }, trained in { NUMBER($seconds, maximumSignificantDigits: 2) } s

# --- buttons
xor-button-hidden = { $hidden ->
    [one] Only one hidden unit
   *[other] { $hidden } hidden units
}
xor-button-steps = { NUMBER($steps) } steps

# --- in the picture
xor-picture-setup = { $hidden ->
    [one] one hidden unit
   *[other] { $hidden } hidden units
} · seed { $seed }
xor-picture-step = step { NUMBER($step) } of { NUMBER($steps) }
xor-picture-perceptron = Perceptron: x-space
xor-picture-mlp = MLP: x-space
xor-picture-h = Learned h-space
xor-picture-loss = Loss
xor-picture-loss-now = loss { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }
xor-picture-best = loss { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) } · best so far: { $right } of 4
xor-picture-right = loss { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) } · { $right } of 4 right
xor-picture-h-seen = what the output unit sees
xor-picture-h-directions = two directions out of { $hidden }
xor-picture-undecided = ½ everywhere
xor-picture-tick = { NUMBER($step) }
xor-picture-axis = step
xor-picture-guess = ln 2 ≈ { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: guessing

# --- the pictures in words
xor-alt-film = Animation of the training. Top left, the perceptron: a straight border turns, then fades until the plane is all but undecided. Top right, the losses: the perceptron’s stays at ln 2, the MLP’s ends at { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }. Bottom left, the MLP’s decisions in the plane of x; bottom right, the four points on their way through h-space. { $ending }
xor-alt-still = The last frame. Top left, the perceptron’s plane of x; top right, both losses; bottom left, the MLP’s decisions around the points (0, 0), (0, 1), (1, 0) and (1, 1); bottom right, the same points in h-space. { $ending }
xor-alt-live = Two planes side by side in mid-training, with the four XOR points: on the left the perceptron’s decisions, on the right the MLP’s.
xor-alt-learned = In the end the ones lie on one side of a straight line in h-space and the zeros on the other.
xor-alt-not-learned = In the end the MLP has { $right } of the 4 points on the right side.

# --- how it works
xor-how = XOR is 1 where exactly one of two inputs is 1. Rosenblatt’s perceptron (1958) cuts the plane with one straight line, and in 1969 Minsky and Papert proved that no line will do; a hidden layer first moves the points into a new space, h-space, where a line is enough. Finding such a representation by itself, from examples, is what deep learning is about.
xor-paper = Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.1
xor-paper-url = https://www.deeplearningbook.org/contents/mlp.html

### /gan: a forger and a detective, two small networks, train each other before the reader's eyes.

gan = gan
    .description = Watch a generator learn to fool a discriminator, live; mode collapse on request
    .data = data
    .data-description = What to imitate: a ring of 8 clouds of points, two such rings, or 8 × 8 digits
    .collapse = collapse
    .collapse-description = Whether to provoke mode collapse: the discriminator learns far too slowly
    .steps = steps
    .steps-description = Training steps, 100 to 5000
    .seed = seed
    .seed-description = What chance depends on; the same seed gives the same film
gan-data-ring = ring
gan-data-rings = rings
gan-data-digits = digits

# --- while it trains
gan-training = Step { NUMBER($step) } of { NUMBER($steps) }. Loss: discriminator { NUMBER($discriminator, minimumFractionDigits: 2, maximumFractionDigits: 2) }, generator { NUMBER($generator, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
gan-drawing = Training is done; I am drawing the film.

# --- what was seen
gan-said-points-covered = The generator covers all { $modes } modes (clouds of points), and has since step { NUMBER($step) }. { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of its points lie within 3σ of one; of real points { NUMBER(0.99, style: "percent") } do.
gan-said-points-gaps = The generator covers { $covered } of { $modes } modes (clouds of points), and { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of its points lie within 3σ of one. More steps may help, or another seed.
gan-said-points-collapsed = Mode collapse: in the second half of the training the generator { $most ->
    [0] did not cover any of the { $modes } modes (clouds of points) in a single frame
    [one] never covered more than one of the { $modes } modes (clouds of points) at a time
   *[other] never covered more than { $most } of the { $modes } modes (clouds of points) at a time
}. In the whole film it came by { $visited } of them, one after the other: as soon as the discriminator sees through one place, all points move on to the next.
gan-said-digits-covered = All { $modes } digits occur among the generated ones, and have since step { NUMBER($step) }. { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of { NUMBER($judged) } generated digits are as close to a real one as its third neighbour is. That is a lenient test: of real digits set aside { NUMBER(0.79, style: "percent") } pass it, of blends of two digits { NUMBER(0.23, style: "percent") }.
gan-said-digits-gaps = { $covered } of { $modes } digits occur among the generated ones. { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of { NUMBER($judged) } are as close to a real one as its third neighbour is; of real digits set aside { NUMBER(0.79, style: "percent") } are, of blends of two digits { NUMBER(0.23, style: "percent") }. More steps may help, or another seed.
gan-said-digits-collapsed = Mode collapse: in the second half of the training there { $most ->
    [0] was no digit that the generator made well
    [one] was never more than one of the { $modes } digits among the generated ones
   *[other] were never more than { $most } of the { $modes } digits among the generated ones
}. In the whole film it came by { $visited } of them: as soon as the discriminator sees through one picture, all pictures change to the next.
gan-why = What was changed: the discriminator learnt { $slower } times more slowly. The paper of 2014 warns of it: a generator trained too far against a discriminator that hardly moves maps ever more random numbers to the one thing that passes for real. The losses alone would hardly tell you.
gan-why-not = The discriminator learnt { $slower } times more slowly, which mostly ends in mode collapse; not this time. Try another seed.
gan-balance = In the end the discriminator gives real samples a probability of { NUMBER($real, minimumFractionDigits: 2, maximumFractionDigits: 2) } of being real, and generated ones { NUMBER($fake, minimumFractionDigits: 2, maximumFractionDigits: 2) }; at ½ it can only toss a coin.
gan-source = Real digits: E. Alpaydın and C. Kaynak, Boğaziçi University (UCI repository, CC BY 4.0)
gan-settings = { NUMBER($steps) } steps, seed { $seed }, trained in { NUMBER($seconds, maximumSignificantDigits: 2) } s

# --- buttons
gan-button-collapse = Provoke mode collapse
gan-button-balance = In balance again
gan-button-steps = { NUMBER($steps) } steps
gan-button-ring = One ring
gan-button-rings = Two rings
gan-button-digits = Handwritten digits

# --- in the picture
gan-picture-ring = one ring
gan-picture-rings = two rings
gan-picture-digits = digits
gan-picture-setup = { $data } · seed { $seed }
gan-picture-setup-unbalanced = { $data }, unbalanced · seed { $seed }
gan-picture-step = step { NUMBER($step) } of { NUMBER($steps) }
gan-picture-covered = { $covered } of { $modes }
gan-picture-covered-points = modes covered
gan-picture-covered-digits = digits covered
gan-picture-good = { NUMBER($good, style: "percent", maximumFractionDigits: 0) }
gan-picture-good-points = within 3σ of a mode
gan-picture-good-digits = close to a real one
gan-picture-real = real
gan-picture-generated = generated
gan-picture-fake = fake
gan-picture-says = Discriminator says
gan-picture-real-digits = For comparison, real ones
gan-picture-loss = Loss
gan-picture-discriminator = discriminator
gan-picture-generator = generator
gan-picture-outputs = Discriminator says
gan-picture-tick = { NUMBER($step) }
gan-picture-axis = step
gan-picture-guess = ln 2 ≈ { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: coin toss

# --- the pictures in words
gan-alt-film-points = Animation of the training. On top the plane with real points in clouds and generated points on their way to them, on the discriminator’s surface: blue where it says real, orange where it says fake. Below, the losses of both networks, and what the discriminator says on average of real and of generated points. In the end { $covered } of { $modes } modes are covered, and { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of the generated points lie within 3σ of one.
gan-alt-still-points = The last frame. On top real and generated points on the discriminator’s surface; below, the losses of both networks and what the discriminator says on average. { $covered } of { $modes } modes are covered, and { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of the generated points lie within 3σ of one.
gan-alt-live-points = Real and generated points in mid-training, on the discriminator’s surface: blue where it says real, orange where it says fake.
gan-alt-film-digits = Animation of the training. On top { NUMBER(56) } generated digits emerge from grey noise, each in a frame that is blue where the discriminator says real and orange where it says fake, above a row of real ones; beside them, how many of each digit are well made. Below, the losses of both networks, and what the discriminator says on average. In the end { $covered } of { $modes } digits are covered, and { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of all are close to a real one.
gan-alt-still-digits = The last frame. On top { NUMBER(56) } generated digits above a row of real ones; below, the losses of both networks and what the discriminator says on average. { $covered } of { $modes } digits are covered, and { NUMBER($good, style: "percent", maximumFractionDigits: 0) } of all are close to a real one.
gan-alt-live-digits = Generated digits in mid-training, each in a frame coloured by what the discriminator says of it, above a row of real ones.

# --- how it works
gan-how = In a GAN (Generative Adversarial Network, 2014) two networks play against each other: a forger, the generator, turns random numbers into samples, and a detective, the discriminator, learns to tell them from real ones. Each learns from the other’s mistakes, until the detective can only toss a coin; or until mode collapse, when the forger makes the one thing that happens to pass. With larger networks the same game paints faces, and lucidrains’ lightweight-gan, which the talk links, is built to learn it from few pictures.
gan-paper = Goodfellow et al. (2014), Generative Adversarial Nets
gan-paper-url = https://arxiv.org/abs/1406.2661

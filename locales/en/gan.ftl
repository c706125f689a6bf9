### /gan: a forger and a detective, two small networks, train each other before the reader's eyes.

gan = gan
    .description = Watch a generator learn to fool a discriminator, on points or digits; or collapse
    .data = data
    .data-description = What to imitate: a ring of points, two rings, or handwritten digits
    .collapse = collapse
    .collapse-description = Whether to provoke mode collapse: the generator learns too fast
    .steps = steps
    .steps-description = Training steps, 100 to 5000
    .seed = seed
    .seed-description = What chance depends on; the same seed gives the same film
gan-data-ring = ring
gan-data-rings = rings
gan-data-digits = digits

# --- in the picture
gan-picture-ring = ring of points
gan-picture-rings = two rings
gan-picture-digits = digits
gan-picture-setup = { $data } · seed { $seed }
gan-picture-setup-collapse = { $data }, generator 5 : 1 · seed { $seed }
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
gan-picture-real-digits = Real ones:
gan-picture-loss = Loss
gan-picture-discriminator = discriminator
gan-picture-generator = generator
gan-picture-outputs = Discriminator says
gan-picture-tick = { NUMBER($step) }
gan-picture-axis = step
gan-picture-guess = ln 2 ≈ { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: coin toss

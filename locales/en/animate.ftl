### /animate: a still face moves.

animate = animate
    .description = Brings a face to life: it blinks, smiles and turns
    .picture = picture
    .picture-description = A photo of a face; left out: a made-up one
    .seed = seed
    .seed-description = Which made-up face; left out: a new one
    .motion = motion
    .motion-description = What it does
animate-motion-life = blink and look around
animate-motion-smile = smile
animate-motion-turn = turn
animate-motion-age = grow old and young

animate-painting = Painting the film: { $percent } %
animate-said = The still face moves: in every frame its style has gone a little further along a direction that stands for a smile, for a turn of the head, for closed eyes.
animate-settings = Seed { $seed }.
animate-alt = An animation: the portrait moves as if it were filmed.

animate-button-life = Look around
animate-button-smile = Smile
animate-button-turn = Turn the head
animate-button-age = Old and young

animate-how = Apps that make a photo sing have a model of motion that learnt from videos. Here there is none: the generator knows only still photos. But its style space has directions along which faces smile, turn or close their eyes; they were fitted on thousands of made-up faces, with the labels of another network. Whoever walks along them in small steps has a film. With the same means deepfakes are made, films of people who never did what they show: that is why the mark stays on every frame, and why a photo should be your own or used with its owner’s consent.
animate-paper = Shen et al. (2020), Interpreting the Latent Space of GANs for Semantic Face Editing
animate-paper-url = https://arxiv.org/abs/1907.10786

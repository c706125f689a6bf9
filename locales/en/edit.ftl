### /edit: change a face by a sentence.

edit = edit
    .description = Changes a face by a sentence: “make her older, with glasses”
    .wish = wish
    .wish-description = What should change, in your own words; several wishes at once are fine
    .picture = picture
    .picture-description = A photo of a face; left out: a made-up one
    .seed = seed
    .seed-description = Which made-up face; left out: a new one
    .strength = strength
    .strength-description = How strongly, 0.1 to 3; 1 if you leave it out

edit-painting = Painting before and after: { $percent } %
edit-said = Understood: { $wishes }.
edit-settings = Seed { $seed }.
edit-alt = The same face before and after the change: { $wishes }.
edit-unknown = I do not know how to do this: “{ $phrase }”
edit-refused = “{ $phrase }”: I change neither the colour of a skin nor where somebody seems to come from. That would only draw what the training data takes for typical.
edit-nothing = I do not know how to do that. What I can change: { $wishes }.
edit-picture-before = before
edit-picture-after = after
edit-weaker = Weaker
edit-stronger = Stronger

edit-smile-more = more of a smile
edit-smile-less = more serious
edit-age-more = older
edit-age-less = younger
edit-femininity-more = more feminine
edit-femininity-less = more masculine
edit-hair_lightness-more = lighter hair
edit-hair_lightness-less = darker hair
edit-hair_length-more = longer hair
edit-hair_length-less = shorter hair
edit-glasses-more = with glasses
edit-glasses-less = without glasses
edit-mouth_open-more = mouth open
edit-mouth_open-less = mouth closed
edit-turn-more = turned to the right
edit-turn-less = turned to the left
edit-nod-more = looking up
edit-nod-less = looking down
edit-beard-more = with a beard
edit-beard-less = without a beard
edit-grey_hair-more = grey hair
edit-grey_hair-less = less grey hair
edit-makeup-more = with make-up
edit-makeup-less = without make-up

edit-how = In the style space of a face generator there are directions along which all faces change alike: older, more cheerful, with glasses. StyleCLIP finds them with CLIP, a network that can compare pictures with sentences. CLIP is not in this small edition: here the directions were fitted on made-up faces which another network had labelled, and a sentence encoder for many languages finds out which of them you mean. What belongs together in the data comes along: whoever gets older also gets glasses more easily. “Feminine” and “masculine” are only what the labelling network took from photos; they say nothing about people. On photos of others, use it with their consent.
edit-paper = Patashnik et al. (2021), StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery
edit-paper-url = https://arxiv.org/abs/2103.17249

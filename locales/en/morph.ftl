### /morph: one face becomes another.

morph = morph
    .description = One made-up face turns into another, as a film
    .seed = seed
    .seed-description = The first face; left out: a new one
    .to = to
    .to-description = The seed of the face at the other end; left out: one follows from the first
    .faces = faces
    .faces-description = How many faces the way passes, 2 to 4
    .truncation = variety
    .truncation-description = From 0, the average face, to 1, anything goes; 0.7 if you leave it out

morph-painting = Painting the faces on the way: { $percent } %
morph-said = { $faces ->
    [2] A straight line between two points of the style space: every point on it is a face as well. Nowhere does one photo fade into another.
   *[other] A way round through { $faces } points of the style space: every point on it is a face as well. Nowhere does one photo fade into another.
}
morph-settings = Seeds { $seeds }, variety { NUMBER($truncation, maximumFractionDigits: 2) }.
morph-alt = An animation: the portrait of a person who does not exist turns smoothly into that of another ({ $faces } in all).

morph-on = On from the last face
morph-four = Through four faces

morph-how = Every style is a list of 512 numbers, a point in space. If a generator has only learnt photos by heart, there is nothing sensible between two points. But here every mixture of two styles is a face of its own: age, hair and pose change bit by bit. So the network has found an order of faces that nobody taught it: a representation, as with XOR at the start of the tour, only with 512 dimensions.
morph-paper = Karras, Laine & Aila (2018), A Style-Based Generator Architecture for GANs
morph-paper-url = https://arxiv.org/abs/1812.04948

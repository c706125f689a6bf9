### /pulse: sharp faces that would look like a pixelated one. And what the commands on faces share.

pulse = pulse
    .description = Pixelates a face and finds sharp ones that fit it; none is the person
    .picture = picture
    .picture-description = A photo of a face, sharp or pixelated already
    .pixels = pixels
    .pixels-description = How many pixels a side are left of the face, 16 to 64
    .seed = seed
    .seed-description = Where the search begins; other seeds find other faces

pulse-searching = Searching for faces that look like this when they are small: { $percent } %
pulse-said = { $fitting ->
    [0] Censored? These { $faces } faces were found by a search through the generator. Shrunk to { $pixels } × { $pixels } pixels they come near the picture above on the left; not as near as the paper asks. Other pictures, or another seed, may fit better.
   *[other] Censored? These { $faces } faces were found by a search through the generator. Shrunk to { $pixels } × { $pixels } pixels they look nearly like the picture above on the left.
}
pulse-not-the-person = None of them is the person in the picture. What was not in the pixels, the generator has made up, and it makes up what it saw most often. So this can never tell who somebody is: do not use it to recognise anyone.
pulse-settings = { $pixels } × { $pixels } pixels, seed { $seed }. Distance of the shrunk faces (mean squared, colours from 0 to 1): { NUMBER($best, maximumSignificantDigits: 2) } to { NUMBER($worst, maximumSignificantDigits: 2) }; within the paper’s { NUMBER($epsilon, maximumFractionDigits: 3) }: { $fitting } of { $faces }.
pulse-pixels = { $pixels } pixels
pulse-alt = Above: the face at { $pixels } × { $pixels } pixels, a sharp face that was found, and that face made as small. Below: three others that fit about as well.

pulse-picture-input = { $pixels } × { $pixels } pixels
pulse-picture-found = found
pulse-picture-small = found, made small
pulse-picture-other = fits, too

pulse-how = A small picture could come from very many large ones. PULSE does not sharpen: it searches in the latent space of a face generator until a generated face, shrunk, equals the picture. What none of the generator’s faces has, these surroundings for one, a small correction of its features makes up for. In 2020 somebody put in a pixelated photo of Barack Obama, and a white man came out. The pixels fitted both; the generator had learnt from photos in which white faces are in the majority, and its search started from faces like those. So a method that “only” restores brings along the bias of its data, and a plausible picture is no evidence. The authors added a warning to their paper.
pulse-paper = Menon et al. (2020), PULSE: Self-Supervised Photo Upsampling
pulse-paper-url = https://arxiv.org/abs/2003.03808

# --- shared by the commands on faces
face-none = I find no face in this picture. One that looks towards the camera and is not too small works best.
face-others = There is more than one face in the picture; I took the largest.
face-searching = Searching for the generator’s face that looks most like the photo: { $percent } %
face-alt-search = The face as far as the search has come.
face-not-the-photo = What you see is not the photo but the generator’s face that came nearest to it. Its details are made up.

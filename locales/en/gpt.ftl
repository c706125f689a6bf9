gpt = gpt
    .description = A language model answers you, word by word
    .text = text
    .text-description = What the model should answer or continue
    .temperature = temperature
    .temperature-description = 0 always takes the likeliest word; above 1 it gets wild
    .length = length
    .length-description = How many tokens (pieces of words) it may write
    .seed = seed
    .seed-description = The same seed gives the same text again

gpt-cut = Cut off after { $tokens } tokens; a larger “length” lets it go on.
gpt-silent = The model had nothing to say.
gpt-speaks-english = This small model speaks English only. A larger one that also speaks Turkish (1.1 GB) comes with: { $command }
gpt-greedy = Only the likeliest words
gpt-wild = Wilder

gpt-how = GPT reads the text so far and computes, for every word piece it knows, how likely it is to come next; then it draws one, appends it and starts over. It learnt this by guessing the next word of billions of sentences, with no other teacher. GPT-3 did the same with 175 billion parameters; the one answering you here has a thousandth of that, so do not trust its facts.
gpt-paper = Radford et al.: Language Models are Unsupervised Multitask Learners (2019); Brown et al.: Language Models are Few-Shot Learners (2020)
gpt-paper-url = https://arxiv.org/abs/2005.14165

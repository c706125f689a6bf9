detect = detect
    .description = Finds the objects in a photo and draws a box around each
    .picture = picture
    .picture-description = The photo to look at
    .confidence = confidence
    .confidence-description = How sure the model must be to draw a box; 0.25 unless you say

detect-found = I see { $things }.
detect-nothing = I found nothing that I know by name. Try a lower confidence.
detect-count = { $number } { $label }
detect-label = { $label } { NUMBER($confidence, style: "percent") }
detect-alternative = The photo with boxes around { $things }.
detect-alternative-nothing = The photo as it was, without a box.
detect-bolder = Show unsure ones too

detect-how = YOLO means “you only look once”: the network looks at the whole photo a single time and writes down, for many places at once, “here is a box, it holds this, I am this sure”. Earlier detectors looked thousands of times, at one cut-out after another, so they were slow; this one can follow a video. It knows only the 80 kinds of things it was trained on, and how sure it is says nothing about things it has never seen.
detect-paper = Redmon, Divvala, Girshick, Farhadi: You Only Look Once: Unified, Real-Time Object Detection (2016)
detect-paper-url = https://arxiv.org/abs/1506.02640

detect = algıla
    .description = Fotoğraftaki nesneleri bulur, her birini kutu içine alır
    .picture = resim
    .picture-description = Bakılacak fotoğraf
    .confidence = güven
    .confidence-description = Kutu çizmek için modelin ne kadar emin olması gerektiği; yazmazsan 0,25

detect-found = Gördüklerim: { $things }.
detect-nothing = Adını bildiğim bir nesne bulamadım. Güven değerini düşürüp yeniden dene.
detect-count = { $number } { $label }
detect-label = { $label } { NUMBER($confidence, style: "percent") }
detect-alternative = Fotoğrafta kutu içine alınanlar: { $things }.
detect-alternative-nothing = Fotoğraf olduğu gibi; kutu yok.
detect-bolder = Emin olmadıklarını da göster

detect-how = YOLO, “you only look once”, yani “yalnızca bir kez bakarsın” demek: Ağ fotoğrafın bütününe tek seferde bakar ve pek çok yer için aynı anda “burada bir kutu var, içinde şu var, şu kadar eminim” der. Önceki yöntemler resmi parça parça kesip binlerce kez baktığı için yavaştı; YOLO ise canlı videoya yetişir. Ağ yalnızca eğitildiği 80 tür nesneyi tanır; hiç görmediği bir şey karşısında “eminim” demesi bir anlam taşımaz.
detect-paper = Redmon, Divvala, Girshick, Farhadi: You Only Look Once: Unified, Real-Time Object Detection (2016)
detect-paper-url = https://arxiv.org/abs/1506.02640

### /dönüştür: bir yüz başka bir yüze dönüşür.

morph = dönüştür
    .description = Uydurma bir yüz başka bir yüze dönüşür; film olarak
    .seed = tohum
    .seed-description = İlk yüz; yazmazsan yenisi çekilir
    .to = hedef
    .to-description = Öbür uçtaki yüzün tohumu; yazmazsan ilkinden türetilir
    .faces = yüz
    .faces-description = Yol kaç yüzden geçsin, 2 ile 4 arası
    .truncation = çeşitlilik
    .truncation-description = 0 ortalama yüz, 1 ne çıkarsa bahtına; yazmazsan 0,7

morph-painting = Yoldaki yüzleri boyuyorum: %{ $percent }
morph-said = { $faces ->
    [2] Stil uzayında iki nokta arasında düz bir çizgi: üzerindeki her nokta da bir yüz. Hiçbir yerde bir fotoğraf solup ötekine karışmıyor.
   *[other] Stil uzayında { $faces } noktadan geçip başa dönen bir yol: üzerindeki her nokta da bir yüz. Hiçbir yerde bir fotoğraf solup ötekine karışmıyor.
}
morph-settings = Tohumlar: { $seeds }; çeşitlilik: { NUMBER($truncation, maximumFractionDigits: 2) }.
morph-alt = Animasyon: Gerçekte var olmayan birinin portresi, kesintisiz biçimde bir başkasınınkine dönüşüyor (toplam { $faces } yüz).

morph-on = Son yüzden devam et
morph-four = Dört yüzden geç

morph-how = Her stil 512 sayıdan oluşan bir listedir, yani uzayda bir nokta. Üretici fotoğrafları ezberlemiş olsaydı iki noktanın arasında anlamlı bir şey bulunmazdı. Oysa burada iki stilin her karışımı başlı başına bir yüz: yaş, saç, duruş azar azar değişiyor. Demek ki ağ, yüzler için kimsenin öğretmediği bir düzen bulmuş: bir temsil (representation); turun başındaki XOR örneğindeki gibi, ama 512 boyutlu.
morph-paper = Karras, Laine ve Aila (2018), A Style-Based Generator Architecture for GANs
morph-paper-url = https://arxiv.org/abs/1812.04948

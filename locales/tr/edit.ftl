### /düzenle: bir yüzü cümleyle değiştirir.

edit = düzenle
    .description = Yüzü bir cümleyle değiştirir: “yaşlandır, gözlük tak”
    .wish = dilek
    .wish-description = Ne değişsin, kendi sözlerinle; birkaç dileği birden yazabilirsin
    .picture = resim
    .picture-description = Yüz fotoğrafı; göndermezsen uydurma bir yüz
    .seed = tohum
    .seed-description = Hangi uydurma yüz; yazmazsan yenisi çekilir
    .strength = güç
    .strength-description = Ne kadar güçlü, 0,1 ile 3 arası; yazmazsan 1

edit-painting = Önceki ve sonraki hali boyuyorum: %{ $percent }
edit-said = Anladığım: { $wishes }.
edit-settings = Tohum: { $seed }.
edit-alt = Aynı yüzün değişmeden önceki ve sonraki hali: { $wishes }.
edit-unknown = Bunu nasıl yapacağımı bilmiyorum: “{ $phrase }”
edit-refused = “{ $phrase }”: Ten rengini de birinin nereli göründüğünü de değiştirmiyorum. Ortaya ancak eğitim verisinin tipik saydığı şey çıkardı.
edit-nothing = Bunu nasıl yapacağımı bilmiyorum. Değiştirebildiklerim: { $wishes }.
edit-picture-before = önce
edit-picture-after = sonra
edit-weaker = Daha hafif
edit-stronger = Daha güçlü

edit-smile-more = daha güler yüzlü
edit-smile-less = daha ciddi
edit-age-more = daha yaşlı
edit-age-less = daha genç
edit-femininity-more = daha kadınsı
edit-femininity-less = daha erkeksi
edit-hair_lightness-more = daha açık renk saç
edit-hair_lightness-less = daha koyu saç
edit-hair_length-more = daha uzun saç
edit-hair_length-less = daha kısa saç
edit-glasses-more = gözlüklü
edit-glasses-less = gözlüksüz
edit-mouth_open-more = ağız açık
edit-mouth_open-less = ağız kapalı
edit-turn-more = sağa dönük
edit-turn-less = sola dönük
edit-nod-more = yukarı bakan
edit-nod-less = aşağı bakan
edit-beard-more = sakallı
edit-beard-less = sakalsız
edit-grey_hair-more = kır saçlı
edit-grey_hair-less = daha az kır saç
edit-makeup-more = makyajlı
edit-makeup-less = makyajsız

edit-how = Bir yüz üreticisinin stil uzayında, bütün yüzlerin aynı biçimde değiştiği yönler vardır: daha yaşlı, daha neşeli, gözlüklü. StyleCLIP bu yönleri, resimlerle cümleleri karşılaştırabilen CLIP ağıyla bulur. Bu küçük sürümde CLIP yok: yönler, başka bir ağın etiketlediği uydurma yüzlerden çıkarıldı; hangisini istediğini de çok dilli bir cümle kodlayıcı anlıyor. Veride birlikte görülenler birlikte gelir: yaşlanan yüz gözlüğü de daha kolay takar. “Kadınsı” ve “erkeksi”, etiketleyen ağın fotoğraflardan çıkardığından ibarettir; insanlar hakkında bir şey söylemez. Başkasının fotoğrafında ancak izniyle kullan.
edit-paper = Patashnik ve ark. (2021), StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery
edit-paper-url = https://arxiv.org/abs/2103.17249

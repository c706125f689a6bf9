### /canlandır: hareketsiz bir yüz kımıldar.

animate = canlandır
    .description = Bir yüzü canlandırır: göz kırpar, gülümser, başını çevirir
    .picture = resim
    .picture-description = Yüz fotoğrafı; göndermezsen uydurma bir yüz
    .seed = tohum
    .seed-description = Hangi uydurma yüz; yazmazsan yenisi çekilir
    .motion = hareket
    .motion-description = Ne yapsın
animate-motion-life = göz kırpıp çevreye bakma
animate-motion-smile = gülümseme
animate-motion-turn = baş çevirme
animate-motion-age = yaşlanıp gençleşme

animate-painting = Filmi boyuyorum: %{ $percent }
animate-said = Hareketsiz yüz kımıldıyor: her karede stil; gülümsemeyi, başın dönüşünü ya da gözlerin kapanışını gösteren bir yönde biraz daha ilerliyor.
animate-settings = Tohum: { $seed }.
animate-alt = Animasyon: portre, filme çekilmiş gibi kımıldıyor.

animate-button-life = Çevresine baksın
animate-button-smile = Gülümsesin
animate-button-turn = Başını çevirsin
animate-button-age = Yaşlansın, gençleşsin

animate-how = Bir fotoğrafa şarkı söyleten uygulamaların içinde, videolardan öğrenmiş bir hareket modeli vardır. Burada öyle bir model yok: üretici yalnızca hareketsiz fotoğraflar gördü. Ama stil uzayında yüzlerin gülümsediği, döndüğü ya da gözünü kapadığı yönler var; bunlar binlerce uydurma yüz üzerinde, başka bir ağın etiketleriyle bulundu. O yönlerde küçük adımlarla yürüyünce ortaya bir film çıkıyor. Deepfake denen filmler, yani insanları hiç yapmadıkları şeyleri yaparken gösterenler de böyle yöntemlerle çekiliyor: işaret bunun için her karede duruyor. Kullandığın fotoğraf kendi fotoğrafın olsun ya da sahibinin izni bulunsun.
animate-paper = Shen ve ark. (2020), Interpreting the Latent Space of GANs for Semantic Face Editing
animate-paper-url = https://arxiv.org/abs/1907.10786

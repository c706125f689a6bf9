### /kişi: StyleGAN’ın uydurduğu, var olmayan bir yüz.

person = kişi
    .description = Bir yüz uydurur: Bu kişi gerçekte yok
    .seed = tohum
    .seed-description = Hangi yüz; aynı tohum hep aynı yüzü verir. Yazmazsan yenisi çekilir
    .faces = yüz
    .faces-description = Kaç yüz birden, 1 ile 4 arası
    .truncation = çeşitlilik
    .truncation-description = 0 ortalama yüz, 1 ne çıkarsa bahtına; yazmazsan 0,7

person-painting = Kabadan inceye boyuyorum: %{ $percent }
person-said = { $faces ->
    [one] Bu kişi gerçekte yok. Her pikselini, { NUMBER(512) } rastgele sayıdan yola çıkan bir ağ uydurdu.
   *[other] Bu kişiler gerçekte yok. Her yüzün her pikselini, { NUMBER(512) } rastgele sayıdan yola çıkan bir ağ uydurdu.
}
person-settings = { $faces ->
    [one] Tohum: { $seed }, çeşitlilik: { NUMBER($truncation, maximumFractionDigits: 2) }.
   *[other] İlk tohum: { $seed }; her yüzünki üstünde yazıyor. Çeşitlilik: { NUMBER($truncation, maximumFractionDigits: 2) }.
}
person-alt = { $faces ->
    [one] Gerçekte var olmayan birinin fotoğraf gibi portresi.
   *[other] Yan yana, gerçekte var olmayan { $faces } kişinin fotoğraf gibi portreleri.
}

person-ordinary = Daha sıradan
person-odd = Daha sıra dışı
person-four = Dört kişi birden
person-animate = Canlandır

person-how = İki ağ birbirine karşı eğitildi: yüz çizen bir üretici (generator) ile çizileni gerçek fotoğraftan ayırmaya çalışan bir ayırt edici (discriminator); bu yarışın adı GAN (Goodfellow, 2014). StyleGAN’da küçük bir ilk ağ rastgele sayıları bir stile çevirir; stil de duruştan saç tellerine kadar resmin her katmanını yönlendirir. “Çeşitlilik”, stili ortalama yüze doğru çeker: çeşitlilik azaldıkça kusur da azalır. Ağ, Flickr’daki 70.000 fotoğraftan öğrendi; bu yüzden en çok orada en çok bulunanı çizer: Avrupalı görünen, gülümseyen, ne çok genç ne çok yaşlı insanları. Böyle resimlerle sahte profiller de açılıyor; köşedeki işaret bunun için hep duruyor. Tutmayan ayrıntılara bak: küpelerin teki, gözlük, arka plan, ağzın ortasına denk gelen diş.
person-paper = Karras, Laine ve Aila (2018), A Style-Based Generator Architecture for GANs
person-paper-url = https://arxiv.org/abs/1812.04948

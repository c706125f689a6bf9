privacy = gizlilik
    .description = Hakkında ne tuttuğumu gör, indir ya da sil
    .action = işlem
    .action-description = Ne yapılacağı; yazmazsan gösteririm
    .sure = eminim
    .sure-description = Silmek için gerekli: evet, eminsin
privacy-action-show = göster
privacy-action-export = indir
privacy-action-delete = sil

privacy-held =
    Hakkında tuttuğum her şey:
    { $facts }
privacy-identity = • bu platformdaki numaran: { $user }
privacy-seen = • seni ilk gördüğüm gün ({ DATETIME($first, dateStyle: "long") }) ve son gördüğüm gün ({ DATETIME($last, dateStyle: "long") })
privacy-language = • seçtiğin dil: { $language }
privacy-no-language = • dil yok, çünkü bir dil seçmedin
privacy-usage = { $count ->
    [0] • çalıştırdığın komut yok
   *[other] • çalıştırdığın { $count } komut: hangisi, ne zaman, hangi sohbette, ne kadar sürdüğü ve nasıl bittiği
}
privacy-buttons = { $count ->
    [0] • düğme yok
   *[other] • cevaplarımın altındaki { $count } düğme; yineledikleri ayarlar ve metinle birlikte
}
privacy-not-held = Resimlerini ve cevaplarımı saklamam; yazdıklarından yalnızca bir düğmenin yinelemesi için gerekeni tutarım.
privacy-kept = Komutlar ve düğmeler { $days } gün sonra silinir. Seçtiğin dil, sen silene kadar kalır.
privacy-export-button = Bir kopyasını ver
privacy-delete-button = Sil
privacy-exported = Hakkında tuttuğum her şey bu dosyada.
privacy-sure = Hakkında tuttuğum her şey geri dönüşsüz silinecek, eski cevaplarımın altındaki düğmeler de çalışmaz olacak. Emin misin?
privacy-delete-now = Evet, hepsini sil
privacy-keep = Hayır, kalsın
privacy-deleted = Tamam, hakkında tuttuğum her şeyi sildim. Bundan sonra yaptıkların yeniden iz bırakır.

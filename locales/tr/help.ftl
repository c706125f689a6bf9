help = yardım
    .description = Durak durak bütün komutlar; ya da birinin nasıl kullanıldığı
    .command = komut
    .command-description = Merak ettiğin komut; yazmazsan hepsi sıralanır

help-intro = Derin Öğrenme Tadım Turu: Bir komut yaz ya da önce bir resim gönder, sonra komutu seç.
help-stop =
    { $stop }
    { $commands }
help-stop-what-is = Derin öğrenme nedir?
help-stop-language = Doğal dil işleme
help-stop-vision = Bilgisayarlı görü
help-stop-generative = Üretici modeller
help-stop-house = Genel komutlar
help-line = /{ $command }: { $description }
help-source = AGPL-3.0 lisanslı özgür yazılım. Kaynak kodu: { $source }
help-source-unnamed = AGPL-3.0 lisanslı özgür yazılım. Kaynak kodunu beni çalıştırandan isteyebilirsin.
help-source-button = Kaynak kodu

help-parameters =
    Ayarlar:
    { $parameters }
help-parameter = • { $name }: { $description } ({ $kind }; { $otherwise })
help-kind-text = en çok { $longest } karakterlik metin
help-kind-integer = tam sayı
help-kind-integer-range = tam sayı; en az { $low }, en çok { $high }
help-kind-number = sayı
help-kind-number-range = sayı; en az { $low }, en çok { $high }
help-kind-boolean = evet ya da hayır
help-kind-choice = şunlardan biri: { $options }
help-kind-picture = resim
help-required = gerekli
help-optional = yazmasan da olur
help-default = yazmazsan { $value }
help-yes = evet
help-no = hayır

help-example = algıla
help-example-line = Örnek: { $example }
help-example-text = Bir varmış bir yokmuş
help-example-picture = (yanında bir resim)

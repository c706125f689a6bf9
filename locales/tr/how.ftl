how = nasıl
    .description = Bir komutun ardındaki fikir, üç cümlede; bir de makalesi
    .command = komut
    .command-description = Fikrini merak ettiğin komut
how-example = gpt

how-nothing = Bu komutun sunumda karşılığı yok: /{ $command }. Nasıl kullanıldığını /yardım anlatır.

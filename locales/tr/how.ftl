how = nasıl
    .description = Bir komutun ardındaki fikir, üç cümlede; bir de makalesi
    .command = komut
    .command-description = Fikrini merak ettiğin komut
how-example = gpt

how-nothing = Sunumda bu komutun ardında bir fikir yok: /{ $command }. Nasıl kullanıldığını /yardım anlatır.

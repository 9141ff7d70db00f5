select
    (select count(*) from {{ ref('people') }}) as people,
    (select count(*) from {{ ref('people', v=1) }}) as named_people
